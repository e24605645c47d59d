import type { UpdateGate } from "../../agent/ports.js";

/** Several who have a say, as one: the first that says `later` or refuses is heard, and the rest is not asked then. */
export function composeGates(gates: readonly UpdateGate[]): UpdateGate | undefined {
  if (gates.length < 2) return gates[0];
  return {
    async before(stage, context) {
      for (const gate of gates) {
        const answer = await gate.before(stage, context);
        if (answer !== "go") return answer;
      }
      return "go";
    },
    /** Each is told, also when another one fails. */
    async after(stage, context) {
      const told = await Promise.allSettled(gates.map(async (gate) => gate.after(stage, context)));
      const failed = told.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
    },
  };
}
