/** Kept here for those in `platform` who wait. */
export { wait } from "../agent/wait.js";
