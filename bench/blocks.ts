/**
 * Packages in blocks of 1024 bytes, as both ends of CoAP see them at their barest: nothing but a socket, and a write to the
 * file for each block. What the agent and its downloader are measured against.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { decodeBlock, encodeBlock, largestBlock } from "../agent/coap/block.js";
import { encodeMethod, encodeResponseCode } from "../agent/coap/code.js";
import { decodeMessage, encodeMessage, type Message } from "../agent/coap/message.js";
import { decodeUint, optionNumber, textOption } from "../agent/coap/option.js";

const host = "127.0.0.1";
const noBytes = new Uint8Array();

const blockOf = ({ options }: Message, number: number) =>
  decodeBlock(decodeUint(options.find((option) => option.number === number)?.value ?? noBytes)) ?? {
    number: 0,
    more: false,
    size: largestBlock,
  };

export async function bindSocket(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, host);
  await once(socket, "listening");
  return socket;
}

/** Takes what is pushed to it, and writes each block before it asks for the next. */
export async function startBareResponder(path: string): Promise<number> {
  const socket = await bindSocket();
  const file = await open(path, "w");
  socket.on("message", async (datagram, { port, address }) => {
    const request = decodeMessage(datagram);
    const block = blockOf(request, optionNumber.block1);
    await file.write(request.payload, 0, request.payload.length, block.number * block.size);
    const answer = encodeMessage({
      type: "ACK",
      code: encodeResponseCode(block.more ? "2.31" : "2.04"),
      messageId: request.messageId,
      token: request.token,
      options: [{ number: optionNumber.block1, value: encodeBlock(block) }],
      payload: noBytes,
    });
    socket.send(answer, port, address);
  });
  return socket.address().port;
}

/** Gives away a package, whatever it is asked for. */
export async function startPackageServer(image: Uint8Array): Promise<number> {
  const socket = await bindSocket();
  socket.on("message", (datagram, { port, address }) => {
    const request = decodeMessage(datagram);
    const { number, size } = blockOf(request, optionNumber.block2);
    const [start, end] = [number * size, (number + 1) * size];
    const answer = encodeMessage({
      type: "ACK",
      code: encodeResponseCode("2.05"),
      messageId: request.messageId,
      token: request.token,
      options: [
        { number: optionNumber.eTag, value: Uint8Array.of(1) },
        { number: optionNumber.block2, value: encodeBlock({ number, more: end < image.length, size }) },
      ],
      payload: image.subarray(start, end),
    });
    socket.send(answer, port, address);
  });
  return socket.address().port;
}

/** Fetches a package and writes each block before it asks for the next. @returns the bytes of it */
export async function pullBare(port: number, path: string): Promise<number> {
  const socket = await bindSocket();
  const file = await open(path, "w");
  for (let number = 0, received = 0; ; number++) {
    const block = { number, more: false, size: largestBlock };
    const request = encodeMessage({
      type: "CON",
      code: encodeMethod("GET"),
      messageId: number & 0xffff,
      token: Uint8Array.of(1, 2, 3, 4),
      options: [
        textOption(optionNumber.uriPath, "fw"),
        { number: optionNumber.block2, value: encodeBlock(block) },
      ],
      payload: noBytes,
    });
    const answered = once(socket, "message");
    socket.send(request, port, host);
    const [datagram] = (await answered) as [Buffer];
    const answer = decodeMessage(datagram);
    await file.write(answer.payload, 0, answer.payload.length, received);
    received += answer.payload.length;
    if (blockOf(answer, optionNumber.block2).more) continue;
    await file.sync();
    await file.close();
    socket.close();
    return received;
  }
}
