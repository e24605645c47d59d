import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.FileInputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.link.lwm2m.attributes.DefaultLwM2mAttributeParser;
import org.eclipse.leshan.core.link.lwm2m.attributes.LwM2mAttributeSet;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.TimestampedLwM2mNodes;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.CancelCompositeObservationRequest;
import org.eclipse.leshan.core.request.CancelObservationRequest;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.CreateRequest;
import org.eclipse.leshan.core.request.DeleteRequest;
import org.eclipse.leshan.core.request.DiscoverRequest;
import org.eclipse.leshan.core.request.DownlinkDeviceManagementRequest;
import org.eclipse.leshan.core.request.ExecuteRequest;
import org.eclipse.leshan.core.request.ObserveCompositeRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadCompositeRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.SendRequest;
import org.eclipse.leshan.core.request.WriteAttributesRequest;
import org.eclipse.leshan.core.request.WriteCompositeRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.response.CreateResponse;
import org.eclipse.leshan.core.response.DiscoverResponse;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.core.response.ReadCompositeResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.model.VersionedModelProvider;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.queue.PresenceListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.send.SendListener;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;

/** Leshan's management server, without security, on a free port of loopback, driven through {@link Control}. */
public final class ManagementServer {
    private static final int DEFAULT_AWAKE_MILLIS = 93_000;
    private static final long DEFAULT_TIMEOUT_MILLIS = 10_000;

    private final Control control = new Control();
    /** How long this server takes an endpoint in Queue Mode to be awake. */
    private final Map<String, Integer> awakeMillis = new ConcurrentHashMap<>();
    private final LeshanServer server;
    private final CaliforniumServerEndpointsProvider coap;

    public static void main(String[] arguments) throws Exception {
        new ManagementServer(new File(arguments[0])).run();
    }

    private ManagementServer(File modelDirectory) throws Exception {
        coap = new CaliforniumServerEndpointsProvider.Builder().addEndpoint("coap://127.0.0.1:0").build();
        List<ObjectModel> models = new ArrayList<>(ObjectLoader.loadAllDefault());
        for (File file : modelDirectory.listFiles()) {
            try (var in = new FileInputStream(file)) {
                models.addAll(ObjectLoader.loadDdfFile(in, file.getName(), true));
            }
        }
        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setEndpointsProviders(coap);
        builder.setObjectModelProvider(new VersionedModelProvider(models));
        builder.setClientAwakeTimeProvider(
                registration -> awakeMillis.getOrDefault(registration.getEndpoint(), DEFAULT_AWAKE_MILLIS));
        server = builder.build();
    }

    private void run() throws Exception {
        server.getRegistrationService().addListener(new Registrations());
        server.getObservationService().addListener(new Notifications());
        server.getPresenceService().addListener(new Presence());
        server.getSendService().addListener(new Sends());
        server.start();
        var endpoint = coap.getCoapServer().getEndpoints().get(0);
        endpoint.addInterceptor(new CoapTrace(control));
        control.serve(endpoint.getAddress().getPort(), this::perform);
    }

    private JsonNode perform(JsonNode request) throws Exception {
        String endpoint = request.path("endpoint").asText();
        switch (request.get("operation").asText()) {
            case "awakeTime":
                awakeMillis.put(endpoint, request.get("millis").asInt());
                return Control.object();
            case "registration":
                return describe(registrationOf(endpoint));
            case "forget":
                return forget(registrationOf(endpoint));
            case "cancelPassively":
                return cancelPassively(registrationOf(endpoint), request);
            default:
                return send(registrationOf(endpoint), request);
        }
    }

    private Registration registrationOf(String endpoint) {
        Registration registration = server.getRegistrationService().getByEndpoint(endpoint);
        if (registration == null) throw new IllegalStateException(endpoint + " is not registered");
        return registration;
    }

    /** Loses a registration, as a server does that was restored from an old backup. */
    private JsonNode forget(Registration registration) {
        server.getRegistrationStore().removeRegistration(registration.getId());
        return Control.object();
    }

    /** Forgets an observation without a word: the next notification gets a Reset. */
    private JsonNode cancelPassively(Registration registration, JsonNode request) {
        int cancelled = request.has("paths")
                ? server.getObservationService().cancelCompositeObservations(registration, strings(request.get("paths")))
                : server.getObservationService().cancelObservations(registration, request.get("path").asText());
        return Control.object().put("cancelled", cancelled);
    }

    private JsonNode send(Registration registration, JsonNode request) throws Exception {
        long timeout = request.path("timeoutMillis").asLong(DEFAULT_TIMEOUT_MILLIS);
        LwM2mResponse response = server.send(registration, toLeshan(registration, request), timeout);
        return response == null ? Control.object().put("error", "Timeout") : outcome(request, response);
    }

    private DownlinkDeviceManagementRequest<? extends LwM2mResponse> toLeshan(Registration registration,
            JsonNode request) throws Exception {
        String path = request.path("path").asText();
        ContentFormat format = request.has("format") ? ContentFormat.fromCode(request.get("format").asInt()) : null;
        switch (request.get("operation").asText()) {
            case "read":
                return new ReadRequest(format, path);
            case "discover":
                return new DiscoverRequest(path);
            case "write":
                WriteRequest.Mode mode = WriteRequest.Mode.valueOf(request.path("mode").asText("REPLACE"));
                return new WriteRequest(mode, format, path, Nodes.node(new LwM2mPath(path), request.get("content")));
            case "writeAttributes":
                return new WriteAttributesRequest(path, new LwM2mAttributeSet(
                        new DefaultLwM2mAttributeParser().parseUriQuery(request.get("attributes").asText())));
            case "execute":
                return request.has("arguments") ? new ExecuteRequest(path, request.get("arguments").asText())
                        : new ExecuteRequest(path);
            case "create":
                return create(format, path, request);
            case "delete":
                return new DeleteRequest(path);
            case "observe":
                return new ObserveRequest(format, path);
            case "cancel":
                return new CancelObservationRequest((SingleObservation) observation(registration, path));
            case "readComposite":
                return new ReadCompositeRequest(format, format, strings(request.get("paths")));
            case "observeComposite":
                return new ObserveCompositeRequest(format, format, strings(request.get("paths")));
            case "cancelComposite":
                return new CancelCompositeObservationRequest(
                        (CompositeObservation) observation(registration, paths(request.get("paths")).toString()));
            case "writeComposite":
                Map<LwM2mPath, LwM2mNode> nodes = new LinkedHashMap<>();
                request.get("content").fields().forEachRemaining(entry -> {
                    LwM2mPath at = new LwM2mPath(entry.getKey());
                    nodes.put(at, Nodes.node(at, entry.getValue()));
                });
                return new WriteCompositeRequest(format, nodes, null);
            default:
                throw new IllegalArgumentException("no such operation: " + request);
        }
    }

    /** With `instance` the server chooses the Object Instance ID, otherwise the client does. */
    private static CreateRequest create(ContentFormat format, String path, JsonNode request) {
        var resources = Nodes.resources(request.get("content"));
        if (!request.has("instance")) return new CreateRequest(format, path, resources);
        return new CreateRequest(format, path, new LwM2mObjectInstance(request.get("instance").asInt(), resources));
    }

    private Observation observation(Registration registration, String described) {
        return server.getObservationService().getObservations(registration).stream()
                .filter(observation -> describe(observation).equals(described)).findFirst()
                .orElseThrow(() -> new IllegalStateException("no observation of " + described));
    }

    private static String describe(Observation observation) {
        return observation instanceof SingleObservation single ? single.getPath().toString()
                : ((CompositeObservation) observation).getPaths().toString();
    }

    private static ObjectNode outcome(JsonNode request, LwM2mResponse response) {
        ObjectNode outcome = Control.object();
        int code = response.getCode().getCode();
        outcome.put("code", code / 100 + "." + String.format("%02d", code % 100));
        if (response.getErrorMessage() != null) outcome.put("message", response.getErrorMessage());
        if (response.getCoapResponse() instanceof Response coap && coap.getOptions().hasContentFormat()) {
            outcome.put("format", coap.getOptions().getContentFormat());
        }
        if (response instanceof DiscoverResponse discover && discover.isSuccess()) {
            outcome.set("links", links(discover.getObjectLinks()));
        } else if (response instanceof CreateResponse create && create.getLocation() != null) {
            outcome.put("location", create.getLocation());
        } else if (response instanceof ReadCompositeResponse composite && composite.isSuccess()) {
            outcome.set("content", Nodes.flat(composite.getContent()));
        } else if (response instanceof ReadResponse read && read.isSuccess()) {
            outcome.set("content", Nodes.flat(new LwM2mPath(request.get("path").asText()), read.getContent()));
        }
        return outcome;
    }

    private static ArrayNode links(Link[] links) {
        ArrayNode list = Control.JSON.createArrayNode();
        for (Link link : links) list.add(link.toCoreLinkFormat());
        return list;
    }

    private static ObjectNode describe(Registration registration) {
        ObjectNode described = Control.object();
        described.put("id", registration.getId()).put("endpoint", registration.getEndpoint());
        described.put("version", registration.getLwM2mVersion().toString());
        described.put("lifetime", registration.getLifeTimeInSec());
        described.put("binding", registration.getBindingMode().toString());
        described.put("queueMode", registration.usesQueueMode());
        described.put("rootPath", registration.getRootPath());
        described.put("port", registration.getPort());
        described.set("links", links(registration.getSortedObjectLinks()));
        described.set("formats", Control.JSON.valueToTree(
                registration.getSupportedContentFormats().stream().map(ContentFormat::getCode).sorted().toArray()));
        described.set("attributes", Control.JSON.valueToTree(registration.getAdditionalRegistrationAttributes()));
        return described;
    }

    private static String[] strings(JsonNode list) {
        String[] strings = new String[list.size()];
        Arrays.setAll(strings, index -> list.get(index).asText());
        return strings;
    }

    private static List<LwM2mPath> paths(JsonNode list) {
        return Arrays.stream(strings(list)).map(LwM2mPath::new).toList();
    }

    private final class Registrations implements RegistrationListener {
        @Override
        public void registered(Registration registration, Registration previous, Collection<Observation> observations) {
            control.event("registered", registration.getEndpoint(), describe(registration));
        }

        @Override
        public void updated(RegistrationUpdate update, Registration updated, Registration previous) {
            control.event("updated", updated.getEndpoint(), describe(updated));
        }

        @Override
        public void unregistered(Registration registration, Collection<Observation> observations, boolean expired,
                Registration next) {
            control.event("unregistered", registration.getEndpoint(), Control.object().put("expired", expired));
        }
    }

    private final class Presence implements PresenceListener {
        @Override
        public void onAwake(Registration registration) {
            control.event("awake", registration.getEndpoint(), Control.object());
        }

        @Override
        public void onSleeping(Registration registration) {
            control.event("sleeping", registration.getEndpoint(), Control.object());
        }
    }

    private final class Notifications implements ObservationListener {
        @Override
        public void newObservation(Observation observation, Registration registration) {
            note("observing", observation, registration, Control.object());
        }

        @Override
        public void cancelled(Observation observation) {
            note("observationEnded", observation, null, Control.object());
        }

        @Override
        public void onResponse(SingleObservation observation, Registration registration, ObserveResponse response) {
            ObjectNode content = Nodes.flat(observation.getPath(), response.getContent());
            note("notification", observation, registration, Control.object().set("content", content));
        }

        @Override
        public void onResponse(CompositeObservation observation, Registration registration,
                ObserveCompositeResponse response) {
            ObjectNode content = Nodes.flat(response.getContent());
            note("notification", observation, registration, Control.object().set("content", content));
        }

        @Override
        public void onError(Observation observation, Registration registration, Exception error) {
            note("notificationError", observation, registration, Control.object().put("message", error.toString()));
        }

        private void note(String kind, Observation observation, Registration registration, ObjectNode event) {
            event.put("path", describe(observation));
            control.event(kind, registration == null ? null : registration.getEndpoint(), event);
        }
    }

    private final class Sends implements SendListener {
        @Override
        public void dataReceived(Registration registration, TimestampedLwM2mNodes data, SendRequest request) {
            ObjectNode event = Control.object();
            event.set("content", Nodes.flat(data.getMostRecentNodes()));
            ArrayNode samples = event.putArray("samples");
            for (Instant time : data.getTimestamps()) {
                ObjectNode sample = samples.addObject();
                if (time != null) sample.put("time", time.getEpochSecond());
                sample.set("content", Nodes.flat(data.getNodesAt(time)));
            }
            control.event("send", registration.getEndpoint(), event);
        }

        @Override
        public void onError(Registration registration, String message, Exception error) {
            control.event("sendError", registration.getEndpoint(), Control.object().put("message", message));
        }
    }
}
