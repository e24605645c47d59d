/** The last lines of the log, for whoever looks at the device and has no journal. Bounded in lines and in size. */
export interface RecentLines {
  add(line: string): void;
  /** Oldest first. */
  all(): readonly string[];
}

export interface RecentLinesOptions {
  readonly lines: number;
  /** Characters of all lines together. */
  readonly size: number;
  /** Characters of one line; the rest of it is cut off. */
  readonly length: number;
}

export function createRecentLines({ lines, size, length }: RecentLinesOptions): RecentLines {
  const kept: string[] = [];
  let total = 0;
  return {
    add(line) {
      const text = line.slice(0, length);
      kept.push(text);
      total += text.length;
      while (kept.length > lines || total > size) total -= kept.shift()?.length ?? 0;
    },
    all: () => [...kept],
  };
}
