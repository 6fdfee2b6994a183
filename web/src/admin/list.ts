// A list that is loaded in parts.
import { type Signal, signal } from "@preact/signals";
import { explain } from "../language";
import type { Part } from "./types";

export type ListState = "loading" | "ready" | "failed";

export class List<Item extends { _id: string }> {
  readonly items: Signal<readonly Item[]> = signal([]);
  readonly state = signal<ListState>("loading");
  readonly problem = signal("");
  /** Where the next part begins; undefined if there is none. */
  readonly cursor = signal<string | undefined>(undefined);
  /** Grows with each load from the beginning: answers to earlier ones are passed over. */
  private turn = 0;

  constructor(private readonly part: (after?: string) => Promise<Part<Item>>) {}

  /** Loads from the beginning. */
  load(): Promise<void> {
    this.turn++;
    this.items.value = [];
    this.cursor.value = undefined;
    return this.fetch();
  }

  /** Loads the next part; if the last one failed, that one. */
  more(): Promise<void> {
    return this.fetch(this.cursor.peek());
  }

  private async fetch(after?: string): Promise<void> {
    const { turn } = this;
    this.state.value = "loading";
    try {
      const { data, cursor } = await this.part(after);
      if (turn !== this.turn) return;
      // What was decided meanwhile moves nothing to another part, but an item that came back is not shown twice.
      const known = new Set(this.items.peek().map((item) => item._id));
      this.items.value = [...this.items.peek(), ...data.filter((item) => !known.has(item._id))];
      this.cursor.value = cursor;
      this.state.value = "ready";
    } catch (error) {
      if (turn !== this.turn) return;
      this.problem.value = explain(error);
      this.state.value = "failed";
    }
  }

  replace(item: Item): void {
    this.items.value = this.items.peek().map((one) => (one._id === item._id ? item : one));
  }

  remove(id: string): void {
    this.items.value = this.items.peek().filter((one) => one._id !== id);
  }
}
