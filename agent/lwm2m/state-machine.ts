/**
 * State machines as tables of pure functions: a row per state, a column per event. What a state does not list changes
 * nothing.
 */

/** The next state, followed by what is to be done. */
export type Next<State, Effect> = readonly [State, ...Effect[]];

interface Named {
  readonly name: string;
}
interface Typed {
  readonly type: string;
}

/** For each state a function per event, with both already narrowed. */
export type Table<State extends Named, Event extends Typed, Effect> = {
  readonly [Name in State["name"]]: {
    readonly [Type in Event["type"]]?: (
      state: Extract<State, { name: Name }>,
      event: Extract<Event, { type: Type }>,
    ) => Next<State, Effect>;
  };
};

/** Looks the event up in the row of the state; an event that is not listed leaves the state and does nothing. */
export function step<State extends Named, Event extends Typed, Effect>(
  table: Table<State, Event, Effect>,
  state: State,
  event: Event,
): Next<State, Effect> {
  const row: Readonly<Record<string, unknown>> = table[state.name as State["name"]];
  // The row of a state holds functions of that state and of the event they stand under, by construction of Table.
  const transition = row[event.type] as ((state: State, event: Event) => Next<State, Effect>) | undefined;
  return transition?.(state, event) ?? [state];
}
