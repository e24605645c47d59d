import type { InstancePath, ObjectPath, ResourcePath, RootPath } from "../../model/path.js";
import type { Body } from "../operations.js";

/** What the Bootstrap-Server does with this client during a bootstrap (LwM2M Core 1.2 §6.1.7). */
export type BootstrapOperation =
  | ({ readonly kind: "write"; readonly path: ObjectPath | InstancePath | ResourcePath } & Body)
  | { readonly kind: "read"; readonly path: ObjectPath | InstancePath; readonly accept: number | undefined }
  | { readonly kind: "discover"; readonly path: RootPath | ObjectPath }
  | { readonly kind: "delete"; readonly path: RootPath | ObjectPath | InstancePath }
  | { readonly kind: "finish" };
