import java.net.InetSocketAddress;
import java.util.HexFormat;
import org.eclipse.californium.core.coap.EmptyMessage;
import org.eclipse.californium.core.coap.Message;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.network.interceptors.MessageInterceptor;
import org.eclipse.californium.core.network.serialization.UdpDataSerializer;

/** Every datagram of a server as an event `coap`: its bytes in hex, the peer's port, and whether it came or went. */
final class CoapTrace implements MessageInterceptor {
    private final Control control;

    CoapTrace(Control control) {
        this.control = control;
    }

    private void sent(Message message) {
        byte[] bytes = new UdpDataSerializer().getByteArray(message);
        note("sent", bytes, message.getDestinationContext().getPeerAddress());
    }

    private void received(Message message) {
        note("received", message.getBytes(), message.getSourceContext().getPeerAddress());
    }

    private void note(String direction, byte[] bytes, InetSocketAddress peer) {
        control.event("coap", null, Control.object().put("direction", direction).put("port", peer.getPort())
                .put("bytes", HexFormat.of().formatHex(bytes)));
    }

    @Override
    public void sendRequest(Request request) {
        sent(request);
    }

    @Override
    public void sendResponse(Response response) {
        sent(response);
    }

    @Override
    public void sendEmptyMessage(EmptyMessage message) {
        sent(message);
    }

    @Override
    public void receiveRequest(Request request) {
        received(request);
    }

    @Override
    public void receiveResponse(Response response) {
        received(response);
    }

    @Override
    public void receiveEmptyMessage(EmptyMessage message) {
        received(message);
    }
}
