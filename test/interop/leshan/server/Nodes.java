import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.eclipse.leshan.core.link.Link;
import org.eclipse.leshan.core.model.ResourceModel.Type;
import org.eclipse.leshan.core.node.LwM2mMultipleResource;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObject;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mPath;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.node.LwM2mResourceInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.node.ObjectLink;
import org.eclipse.leshan.core.util.datatype.ULong;

/**
 * Leshan's nodes as the tests write them. Content that was read is flat: `{"/3/0/0": "Acme", "/3/0/6/0": 1}`. A value to
 * write names its type: `{"type": "INTEGER", "value": 60}`, or `"values": {"0": …}` for a multiple Resource.
 */
final class Nodes {
    private Nodes() {}

    static ObjectNode flat(LwM2mPath path, LwM2mNode node) {
        ObjectNode into = Control.object();
        if (node != null) flatten(path.toString(), node, into);
        return into;
    }

    static ObjectNode flat(Map<LwM2mPath, LwM2mNode> nodes) {
        ObjectNode into = Control.object();
        nodes.forEach((path, node) -> {
            if (node != null) flatten(path.toString(), node, into);
        });
        return into;
    }

    private static void flatten(String path, LwM2mNode node, ObjectNode into) {
        if (node instanceof LwM2mObject object) {
            object.getInstances().forEach((id, instance) -> flatten(path + "/" + id, instance, into));
        } else if (node instanceof LwM2mObjectInstance instance) {
            instance.getResources().forEach((id, resource) -> flatten(path + "/" + id, resource, into));
        } else if (node instanceof LwM2mMultipleResource resource) {
            resource.getInstances().forEach((id, instance) -> flatten(path + "/" + id, instance, into));
        } else if (node instanceof LwM2mSingleResource resource) {
            into.set(path, Control.JSON.valueToTree(plain(resource.getValue())));
        } else if (node instanceof LwM2mResourceInstance instance) {
            into.set(path, Control.JSON.valueToTree(plain(instance.getValue())));
        }
    }

    private static Object plain(Object value) {
        if (value instanceof byte[] bytes) return HexFormat.of().formatHex(bytes);
        if (value instanceof Date date) return date.getTime() / 1000;
        if (value instanceof ULong number) return number.toBigInteger();
        if (value instanceof ObjectLink link) return link.encodeToString();
        if (value instanceof Link[] links) return List.of(links).toString();
        return value;
    }

    static List<LwM2mResource> resources(JsonNode byId) {
        List<LwM2mResource> resources = new ArrayList<>();
        byId.fields().forEachRemaining(
                entry -> resources.add(resource(Integer.parseInt(entry.getKey()), entry.getValue())));
        return resources;
    }

    /** What stands at `path`: an Object's or an Instance's `resources`, or one value. */
    static LwM2mNode node(LwM2mPath path, JsonNode content) {
        if (path.isObjectInstance()) {
            return new LwM2mObjectInstance(path.getObjectInstanceId(), resources(content));
        }
        if (path.isResource()) return resource(path.getResourceId(), content);
        Type type = Type.valueOf(content.get("type").asText());
        return LwM2mResourceInstance.newInstance(path.getResourceInstanceId(), value(type, content.get("value")), type);
    }

    private static LwM2mResource resource(int id, JsonNode content) {
        Type type = Type.valueOf(content.get("type").asText());
        if (!content.has("values")) {
            return LwM2mSingleResource.newResource(id, value(type, content.get("value")), type);
        }
        Map<Integer, Object> values = new TreeMap<>();
        content.get("values").fields().forEachRemaining(
                entry -> values.put(Integer.parseInt(entry.getKey()), value(type, entry.getValue())));
        return LwM2mMultipleResource.newResource(id, values, type);
    }

    private static Object value(Type type, JsonNode value) {
        switch (type) {
            case INTEGER:
                return value.asLong();
            case FLOAT:
                return value.asDouble();
            case BOOLEAN:
                return value.asBoolean();
            case TIME:
                return new Date(value.asLong() * 1000);
            case OPAQUE:
                return HexFormat.of().parseHex(value.asText());
            case OBJLNK:
                return ObjectLink.decodeFromString(value.asText());
            case UNSIGNED_INTEGER:
                return ULong.valueOf(value.asText());
            default:
                return value.asText();
        }
    }
}
