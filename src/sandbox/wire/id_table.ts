// What is under way, by its number: comes and goes by the thousand each second.
//
// Not a Map. When V8 moves a Map into a new table, the outgrown one keeps its entries and a link to the new one. Once
// one table has grown old, all that follow are reached from it, dead or not, and so is everything that was ever in
// them: each collection of the young generation then copies all of it into the old one, for milliseconds, until the
// next full collection, which makes the table of that moment an old one again.

const START_SLOTS = 64;

/** By open addressing: each item is in the slot of its number, or in the next one that was free. */
export class InFlight<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = emptySlots(START_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    return this.#slots[this.#slotOf(id)];
  }

  /** There must be none of the same number. */
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
    // Those behind it that stand there for want of a better place move up.
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

  /** As of this moment. */
  items(): T[] {
    return this.#slots.filter((item) => item !== undefined);
  }

  /** Where the item of this number is, or would be. */
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
