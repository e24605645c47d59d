import type { Socket } from "node:net";

/** A bus has a line of a few words to say; whoever says more is none. */
const maximumLine = 4096;

/**
 * Says who we are: the kernel tells the bus, we claim nothing. So it works in a user namespace too, where our own number
 * is not the one that the bus sees. @see D-Bus Specification, "Authentication Protocol", EXTERNAL
 * @returns what came after the last line
 * @throws Error when the bus does not let us in
 */
export async function authenticate(socket: Socket): Promise<Uint8Array> {
  const lines = new LineReader(socket);
  try {
    socket.write("\0AUTH EXTERNAL\r\n");
    let answer = await lines.next();
    if (answer === "DATA" || answer.startsWith("DATA ")) {
      socket.write("DATA\r\n");
      answer = await lines.next();
    }
    if (!answer.startsWith("OK ")) throw new Error(`it refuses this user: ${answer.slice(0, 100)}`);
    socket.write("BEGIN\r\n");
    return lines.rest();
  } finally {
    lines.close();
  }
}

class LineReader {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", this.#take);
    socket.on("error", this.#fail);
    socket.on("close", this.#ended);
  }

  async next(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#received.toString("latin1", 0, end);
        this.#received = this.#received.subarray(end + 2);
        return line;
      }
      if (this.#received.length > maximumLine) throw new Error("what answers is no message bus");
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  rest(): Uint8Array {
    return this.#received;
  }

  close(): void {
    this.#socket.off("data", this.#take);
    this.#socket.off("error", this.#fail);
    this.#socket.off("close", this.#ended);
    if (this.#failure !== undefined) this.#socket.on("error", () => undefined);
  }

  readonly #take = (bytes: Buffer) => {
    this.#received = Buffer.concat([this.#received, bytes]);
    this.#wake();
  };

  readonly #fail = (error: Error) => {
    this.#failure ??= error;
    this.#wake();
  };

  readonly #ended = () => this.#fail(new Error("it closed the connection"));
}
