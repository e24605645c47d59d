/**
 * `ustate`, which SWUpdate, the boot loader and we share: it lies in the boot loader's environment. The daemon changes it for
 * whoever may talk to it; without a daemon it takes the right to write the environment.
 */
import { type BootEnvironment, BootEnvironmentError, type BootVariables } from "../boot-environment.js";
import { ControlError, type ControlOptions, readState, writeState } from "./control.js";
import { formatState, parseState, type UpdateState } from "./control-message.js";

export class UpdateStateKeeper {
  readonly #environment: BootEnvironment;
  readonly #control: () => Promise<ControlOptions>;

  constructor(environment: BootEnvironment, control: () => Promise<ControlOptions>) {
    this.#environment = environment;
    this.#control = control;
  }

  /** undefined when nobody has ever set it. @throws BootEnvironmentError when neither the environment nor the daemon says it */
  async read(): Promise<UpdateState | undefined> {
    try {
      const { ustate } = await this.#environment.read(["ustate"]);
      return ustate === undefined ? undefined : parseState(ustate);
    } catch (error) {
      if (!(error instanceof BootEnvironmentError)) throw error;
      const control = await this.#control();
      return readState(control).catch(() => {
        throw error;
      });
    }
  }

  /** Together with other variables, in one write, where there are any. */
  async write(state: UpdateState, variables: BootVariables = {}): Promise<void> {
    if (Object.keys(variables).length === 0) {
      try {
        await writeState(await this.#control(), state);
        return;
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
      }
    }
    await this.#environment.write({ ...variables, ustate: formatState(state) });
  }
}
