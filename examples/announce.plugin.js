// Speaks up at each step of a firmware update, and lets the agent do the work.
//
//   lwm2m-agent simulate --plugin ./examples/announce.plugin.js
//
// The annotation gives editors and `tsc --checkJs` the types; nothing is imported at run time.

/** @type {import("lwm2m-agent/plugin").Plugin} */
export const plugin = {
  name: "announce",

  async packageUriWritten({ uri, proceed }, agent) {
    agent.log.info("a package is offered", { uri });
    await proceed();
  },

  async updateExecuted({ proceed }, agent) {
    agent.log.info("the update begins");
    await proceed();
  },

  configurationApplied({ name, value }, agent) {
    if (value === "") throw new Error("an empty configuration is refused");
    agent.log.info("configuration applied", { name, value });
  },

  async reboot({ proceed }, agent) {
    agent.log.info("rebooting");
    await proceed();
  },
};
