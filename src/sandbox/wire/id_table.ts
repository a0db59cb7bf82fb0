// Hash table of in-flight invocations by id, optimized for thousands of insertions and removals a second.
//
// It is not a Map. When V8 moves a Map to a larger table, the old table keeps its entries and a link to the new one.
// Once a table is in the old generation, all later tables are reachable from it, dead or not, and so is everything that
// was ever in them: each collection of the young generation then copies all of it to the old generation, which takes
// milliseconds, until the next full collection, which makes the current table an old one again.

const START_SLOTS = 64;

/** Uses open addressing: each item is in the slot of its id, or in the next one that was free. */
export class IdTable<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = emptySlots(START_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#slots[this.#slotOf(id)];
  }

  /** Adds an item, whose id must not be in the table. */
  add(item: T): void {
    if (2 * this.#size >= this.#slots.length) this.#grow();
    this.#slots[this.#slotOf(item.id)] = item;
    this.#size++;
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let free = this.#slotOf(id);
    if (!slots[free]) return;
    // Moves up following items that are not in the slot of their id.
    for (let at = (free + 1) & mask; slots[at]; at = (at + 1) & mask) {
      const fromHome = (at - slots[at]!.id) & mask;
      if (fromHome < ((at - free) & mask)) continue;
      slots[free] = slots[at];
      free = at;
    }
    slots[free] = undefined;
    this.#size--;
  }

  clear(): void {
    this.#slots = emptySlots(START_SLOTS);
    this.#size = 0;
  }

  /** Returns a copy of the current items. */
  items(): T[] {
    return this.#slots.filter((item) => item !== undefined);
  }

  /** Returns the slot of the item with this id, or where it would be. */
  #slotOf(id: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let at = id & mask;
    while (slots[at] && slots[at]!.id !== id) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const items = this.items();
    this.#slots = emptySlots(2 * this.#slots.length);
    for (const item of items) this.#slots[this.#slotOf(item.id)] = item;
  }
}

function emptySlots(count: number): undefined[] {
  return new Array(count).fill(undefined);
}
