/** What the bootstrap needs of a transport. `agent/binding` implements it over CoAP. */
export interface BootstrapConnection {
  request(request: BootstrapRequest): Promise<BootstrapAnswer>;
  requestPack(request: BootstrapPackRequest): Promise<BootstrapPackAnswer>;
}

/** LwM2M Core 1.2 §6.1.7.1. */
export interface BootstrapRequest {
  readonly endpointName: string;
  /** `pct`: the Content-Format that the Bootstrap-Server should write in. */
  readonly preferredFormat: number | undefined;
}

/** LwM2M Core 1.2 §6.1.7.7. */
export interface BootstrapPackRequest {
  readonly endpointName: string;
  /** `acc`: the instances of the Bootstrap-Server account as links without attributes. */
  readonly accountLinks: string;
  readonly accept: number;
}

export type BootstrapAnswer =
  | { readonly type: "accepted" }
  /** `clientError`: a 4.xx. `retryAfter` in seconds. */
  | {
      readonly type: "refused";
      readonly reason: string;
      readonly clientError: boolean;
      readonly retryAfter?: number;
    }
  | { readonly type: "unanswered"; readonly reason: string };

export type BootstrapPackAnswer =
  | Exclude<BootstrapAnswer, { type: "accepted" }>
  | { readonly type: "pack"; readonly contentFormat: number | undefined; readonly payload: Uint8Array };
