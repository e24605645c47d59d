import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.EnumSet;
import org.eclipse.leshan.core.SecurityMode;
import org.eclipse.leshan.core.peer.LwM2mPeer;
import org.eclipse.leshan.core.request.BindingMode;
import org.eclipse.leshan.core.request.BootstrapDownlinkRequest;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.server.bootstrap.BootstrapConfig;
import org.eclipse.leshan.server.bootstrap.BootstrapFailureCause;
import org.eclipse.leshan.server.bootstrap.BootstrapSession;
import org.eclipse.leshan.server.bootstrap.BootstrapSessionListener;
import org.eclipse.leshan.server.bootstrap.InMemoryBootstrapConfigStore;
import org.eclipse.leshan.server.bootstrap.LeshanBootstrapServer;
import org.eclipse.leshan.server.bootstrap.LeshanBootstrapServerBuilder;
import org.eclipse.leshan.server.californium.bootstrap.endpoint.CaliforniumBootstrapServerEndpointsProvider;

/** Leshan's bootstrap server, without security, on a free port of loopback, driven through {@link Control}. */
public final class BootstrapServer {
    private final Control control = new Control();
    private final InMemoryBootstrapConfigStore configurations = new InMemoryBootstrapConfigStore();

    public static void main(String[] arguments) throws Exception {
        new BootstrapServer().run();
    }

    private void run() throws Exception {
        var coap = new CaliforniumBootstrapServerEndpointsProvider.Builder().addEndpoint("coap://127.0.0.1:0").build();
        LeshanBootstrapServerBuilder builder = new LeshanBootstrapServerBuilder();
        builder.setEndpointsProviders(coap);
        builder.setConfigStore(configurations);
        LeshanBootstrapServer server = builder.build();
        server.addListener(new Sessions());
        server.start();
        var endpoint = coap.getCoapServer().getEndpoints().get(0);
        endpoint.addInterceptor(new CoapTrace(control));
        control.serve(endpoint.getAddress().getPort(), this::perform);
    }

    private JsonNode perform(JsonNode request) throws Exception {
        String endpoint = request.get("endpoint").asText();
        switch (request.get("operation").asText()) {
            case "configure":
                configurations.remove(endpoint);
                configurations.add(endpoint, configuration(request.get("configuration")));
                return Control.object();
            case "remove":
                configurations.remove(endpoint);
                return Control.object();
            default:
                throw new IllegalArgumentException("no such operation: " + request);
        }
    }

    /**
     * `{format, discover, delete: [path…], bootstrapUri, servers: [{uri, shortServerId, lifetime}…]}`; with `discover`,
     * Leshan asks the client first which Security instance is its own.
     */
    private static BootstrapConfig configuration(JsonNode described) {
        BootstrapConfig configuration = new BootstrapConfig();
        if (described.has("format")) {
            configuration.contentFormat = ContentFormat.fromCode(described.get("format").asInt());
        }
        configuration.autoIdForSecurityObject = described.path("discover").asBoolean();
        described.path("delete").forEach(path -> configuration.toDelete.add(path.asText()));
        configuration.security.put(0, security(described.get("bootstrapUri").asText(), true, 0));
        int instance = 0;
        for (JsonNode server : described.get("servers")) {
            int shortServerId = server.get("shortServerId").asInt();
            configuration.security.put(instance + 1, security(server.get("uri").asText(), false, shortServerId));
            BootstrapConfig.ServerConfig account = new BootstrapConfig.ServerConfig();
            account.shortId = shortServerId;
            account.lifetime = server.get("lifetime").asInt();
            account.binding = EnumSet.of(BindingMode.U);
            configuration.servers.put(instance, account);
            instance++;
        }
        return configuration;
    }

    private static BootstrapConfig.ServerSecurity security(String uri, boolean bootstrapServer, int shortServerId) {
        BootstrapConfig.ServerSecurity security = new BootstrapConfig.ServerSecurity();
        security.uri = uri;
        security.bootstrapServer = bootstrapServer;
        security.securityMode = SecurityMode.NO_SEC;
        if (!bootstrapServer) security.serverId = shortServerId;
        return security;
    }

    private final class Sessions implements BootstrapSessionListener {
        @Override
        public void sessionInitiated(BootstrapRequest request, LwM2mPeer client) {
            ObjectNode event = Control.object();
            if (request.getPreferredContentFormat() != null) {
                event.put("preferredFormat", request.getPreferredContentFormat().getCode());
            }
            control.event("requested", request.getEndpointName(), event);
        }

        @Override
        public void unAuthorized(BootstrapRequest request, LwM2mPeer client) {
            control.event("unauthorized", request.getEndpointName(), Control.object());
        }

        @Override
        public void authorized(BootstrapSession session) {
            note("authorized", session, Control.object());
        }

        @Override
        public void noConfig(BootstrapSession session) {
            note("noConfiguration", session, Control.object());
        }

        @Override
        public void sendRequest(BootstrapSession session, BootstrapDownlinkRequest<? extends LwM2mResponse> request) {
            note("sent", session, Control.object().put("request", request.toString()));
        }

        @Override
        public void onResponseSuccess(BootstrapSession session,
                BootstrapDownlinkRequest<? extends LwM2mResponse> request, LwM2mResponse response) {
            answered(session, request, response);
        }

        @Override
        public void onResponseError(BootstrapSession session, BootstrapDownlinkRequest<? extends LwM2mResponse> request,
                LwM2mResponse response) {
            answered(session, request, response);
        }

        @Override
        public void onRequestFailure(BootstrapSession session,
                BootstrapDownlinkRequest<? extends LwM2mResponse> request, Throwable cause) {
            note("unanswered", session, Control.object().put("request", request.toString()).put("message", cause.toString()));
        }

        @Override
        public void end(BootstrapSession session) {
            note("ended", session, Control.object());
        }

        @Override
        public void failed(BootstrapSession session, BootstrapFailureCause cause) {
            note("failed", session, Control.object().put("message", cause.toString()));
        }

        private void answered(BootstrapSession session, BootstrapDownlinkRequest<? extends LwM2mResponse> request,
                LwM2mResponse response) {
            note("answered", session, Control.object().put("request", request.getClass().getSimpleName())
                    .put("path", String.valueOf(request.getPath())).put("response", response.toString()));
        }

        private void note(String kind, BootstrapSession session, ObjectNode event) {
            control.event(kind, session.getEndpoint(), event);
        }
    }
}
