import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;

/**
 * How the tests drive a server: `POST /` carries one operation as JSON and answers with its outcome, `GET /events?n`
 * lists what happened since event n and waits a moment for the next one. Loopback only.
 *
 * The process ends with its standard input, so it never outlives the run that started it.
 */
final class Control {
    interface Operations {
        JsonNode perform(JsonNode request) throws Exception;
    }

    static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final long EVENT_WAIT_MILLIS = 250;

    private final List<ObjectNode> events = new ArrayList<>();

    static ObjectNode object() {
        return NODES.objectNode();
    }

    synchronized void event(String kind, String endpoint, ObjectNode event) {
        event.put("kind", kind).put("at", System.currentTimeMillis());
        if (endpoint != null) event.put("endpoint", endpoint);
        events.add(event);
        notifyAll();
    }

    /** Says where it listens in one line on standard output, then serves until standard input ends. */
    void serve(int coapPort, Operations operations) throws IOException, InterruptedException {
        HttpServer http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.setExecutor(Executors.newCachedThreadPool());
        http.createContext("/", exchange -> answer(exchange, performed(exchange, operations)));
        http.createContext("/events", exchange -> answer(exchange, since(exchange)));
        http.start();
        System.out.println(object().put("http", http.getAddress().getPort()).put("coap", coapPort));
        while (System.in.read() >= 0) {
            // Nothing is said here.
        }
        System.exit(0);
    }

    private static JsonNode performed(HttpExchange exchange, Operations operations) throws IOException {
        try {
            return operations.perform(JSON.readTree(exchange.getRequestBody()));
        } catch (Exception error) {
            return object().put("error", error.getClass().getSimpleName()).put("message", error.getMessage());
        }
    }

    private synchronized JsonNode since(HttpExchange exchange) {
        int first = Integer.parseInt(exchange.getRequestURI().getQuery());
        try {
            if (first >= events.size()) wait(EVENT_WAIT_MILLIS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        ArrayNode list = NODES.arrayNode();
        for (int n = first; n < events.size(); n++) list.add(events.get(n));
        return list;
    }

    private synchronized int count() {
        return events.size();
    }

    /** With the number of events so far: what an operation caused on the wire was noted before its answer. */
    private void answer(HttpExchange exchange, JsonNode body) throws IOException {
        byte[] bytes = JSON.writeValueAsBytes(body);
        exchange.getResponseHeaders().set("Events", String.valueOf(count()));
        exchange.sendResponseHeaders(200, bytes.length);
        try (var out = exchange.getResponseBody()) {
            out.write(bytes);
        }
    }
}
