type Undo = () => void | Promise<void>;

/**
 * Does `work`; when it fails, what it handed to `onFailure` so far undoes it, the last first.
 * @throws what `work` threw; an AggregateError when undoing failed too, for then something has changed
 */
export async function allOrNothing<T>(work: (onFailure: (undo: Undo) => void) => Promise<T>): Promise<T> {
  const undos: Undo[] = [];
  try {
    return await work((undo) => undos.push(undo));
  } catch (error) {
    const failures: unknown[] = [];
    for (const undo of undos.reverse()) {
      try {
        await undo();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length === 0) throw error;
    throw new AggregateError([error, ...failures], "a change failed and could not be undone");
  }
}
