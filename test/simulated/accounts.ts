import type {
  Accounts,
  BootstrapAccount,
  ServerAccount,
  ServerSettings,
} from "../../agent/lwm2m/accounts.js";

export const serverSettings: ServerSettings = {
  lifetimeSeconds: 3600,
  binding: "U",
  notificationStoring: true,
  defaultMinimumPeriodSeconds: 0,
  defaultMaximumPeriodSeconds: undefined,
  disableTimeoutSeconds: 86400,
  priorityOrder: undefined,
  initialDelaySeconds: 0,
  failureBlock: false,
  bootstrapOnFailure: true,
  retryCount: 5,
  retryTimerSeconds: 60,
  sequenceDelaySeconds: 86400,
  sequenceRetryCount: 1,
  preferredTransport: undefined,
  muteSend: true,
  supportedVersions: [],
  confirmableByDefault: false,
};

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

export interface SimulatedAccounts extends Accounts {
  /** What a Server may write, to be changed as if it had. */
  settings(shortServerId: number): Writable<ServerSettings>;
  /** As a Bootstrap-Server does. */
  replace(servers: readonly SimulatedAccount[]): void;
  setBootstrapServer(account: BootstrapAccount | undefined): void;
}

export interface SimulatedAccount extends Partial<ServerSettings> {
  readonly shortServerId: number;
  readonly uri?: string;
}

/** Server Accounts in memory, with the defaults of the specification. */
export function createSimulatedAccounts(
  initial: readonly SimulatedAccount[] = [{ shortServerId: 1 }],
): SimulatedAccounts {
  let accounts: { account: ServerAccount; settings: Writable<ServerSettings> }[] = [];
  let bootstrapServer: BootstrapAccount | undefined;
  const listeners = new Set<() => void>();
  const fill = (servers: readonly SimulatedAccount[]) => {
    accounts = servers.map((described, index) => {
      const { shortServerId, uri, ...changes } = described;
      const settings = { ...serverSettings, ...changes };
      const account = {
        shortServerId,
        uri: uri ?? `coap://server${shortServerId}.example`,
        securityInstanceId: index,
        serverInstanceId: index,
        settings: () => settings,
      };
      return { account, settings };
    });
  };
  const found = (shortServerId: number) =>
    accounts.find(({ account }) => account.shortServerId === shortServerId);
  fill(initial);
  return {
    servers: () => accounts.map(({ account }) => account),
    server: (shortServerId) => found(shortServerId)?.account,
    bootstrapServer: () => bootstrapServer,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    settings(shortServerId) {
      const account = found(shortServerId);
      if (account === undefined) throw new RangeError(`there is no account of Server ${shortServerId}`);
      return account.settings;
    },
    replace(servers) {
      fill(servers);
      for (const listener of listeners) listener();
    },
    setBootstrapServer: (account) => void (bootstrapServer = account),
  };
}
