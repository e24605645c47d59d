import { crc32, deflateRawSync } from "node:zlib";

export interface ZipContent {
  readonly name: string;
  readonly content: Uint8Array;
  readonly stored?: boolean;
  /** What the list claims instead of the truth. */
  readonly claims?: Partial<{
    size: number;
    crc32: number;
    method: number;
    flags: number;
    localName: string;
    mode: number;
  }>;
}

/** A zip archive, and what is not quite one. */
export function zipOf(members: readonly ZipContent[], { comment = "" } = {}): Buffer {
  const pieces: Buffer[] = [];
  const list: Buffer[] = [];
  let offset = 0;
  for (const { name, content, stored = false, claims = {} } of members) {
    const body = stored ? Buffer.from(content) : deflateRawSync(content);
    const method = claims.method ?? (stored ? 0 : 8);
    const local = Buffer.alloc(30);
    const localName = Buffer.from(claims.localName ?? name, "latin1");
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc32(content), 14);
    local.writeUInt32LE(body.length, 18);
    local.writeUInt32LE(content.length, 22);
    local.writeUInt16LE(localName.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(0x0314, 4); // by Unix, version 2.0
    entry.writeUInt16LE(claims.flags ?? 0, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(claims.crc32 ?? crc32(content), 16);
    entry.writeUInt32LE(body.length, 20);
    entry.writeUInt32LE(claims.size ?? content.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name, "latin1"), 28);
    entry.writeUInt32LE((claims.mode ?? 0o100644) * 0x10000, 38);
    entry.writeUInt32LE(offset, 42);
    list.push(entry, Buffer.from(name, "latin1"));
    pieces.push(local, localName, body);
    offset += 30 + localName.length + body.length;
  }
  const listBytes = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(listBytes.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...pieces, listBytes, end, Buffer.from(comment)]);
}
