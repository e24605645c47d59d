/** The file that `lwm2m-agent init` writes: what was asked for, and what else there is as comments. */
export interface InitialConfig {
  readonly endpointName: string;
  /** Empty when there is a Bootstrap-Server. */
  readonly servers: readonly string[];
  readonly bootstrapServer: string | undefined;
  readonly board: string;
  /** Of the JSON Schema that editors take. */
  readonly schemaPath: string;
}

export function renderConfig({
  endpointName,
  servers,
  bootstrapServer,
  board,
  schemaPath,
}: InitialConfig): string {
  const quoted = (text: string) => JSON.stringify(text); // any JSON string is one of YAML
  const serverLines =
    servers.length === 0
      ? ["# servers:", "#   - uri: coap://lwm2m.example.com", "#     lifetime: 1 d"]
      : ["servers:", ...servers.flatMap((uri) => [`  - uri: ${quoted(uri)}`, "    lifetime: 1 d"])];
  const bootstrapLines =
    bootstrapServer === undefined
      ? ["# bootstrapServer:", "#   uri: coap://bootstrap.example.com"]
      : ["bootstrapServer:", `  uri: ${quoted(bootstrapServer)}`];
  return [
    `# yaml-language-server: $schema=${schemaPath}`,
    "# Configuration of lwm2m-agent. After a change: lwm2m-agent check, then systemctl restart lwm2m-agent.",
    "# Times are seconds, or text with a unit: 30 s, 15 min, 12 h, 7 d. Sizes: 512 KiB, 64 MiB, 1 GiB.",
    "",
    "# What Servers know this device by. It should never change.",
    `endpointName: ${quoted(endpointName)}`,
    "",
    "# The LwM2M Servers that this device registers with. What they write is kept in the state folder, never here.",
    ...serverLines,
    "",
    "# Whom to ask for Servers when there are none, or when they fail.",
    ...bootstrapLines,
    "",
    "# How this device takes new firmware. `auto` finds out; `lwm2m-agent check` says what it has found.",
    "board:",
    `  type: ${board}`,
    "",
    "# The device sleeps between its messages, and Servers keep what they have for it until then.",
    "# queueMode: true",
    "",
    "# An Update at least so often, where a NAT on the way forgets.",
    "# keepAlive: 4 min",
    "",
    "# Firmware updates.",
    "# firmware:",
    "#   maximumSize: 1 GiB",
    "#   keys: [/etc/lwm2m-agent/keys]    # whose packages are installed; see lwm2m-agent firmware --help",
    "",
    "# Objects beside those that are always there: by number, or definition files of the OMA registry.",
    "# objects:",
    "#   - 6",
    "#   - /etc/lwm2m-agent/3303.xml",
    "",
    "# Modules that add Objects or change what the agent does.",
    "# plugins:",
    "#   - /etc/lwm2m-agent/plugins/announce.js",
    "",
    "# Takes effect on reload.",
    "log:",
    "  level: info",
    "",
    "# For this device alone: a page for technicians, and OpenMetrics for monitoring.",
    "# statusPage: { port: 8080 }",
    "# metrics: { port: 9469 }",
    "",
    "# The running agent answers root and the members of its own group: usermod -aG lwm2m-agent NAME. Or of another one,",
    "# which the agent has to be a member of:",
    "# control:",
    "#   group: technicians",
    "",
  ].join("\n");
}
