// What the browser stores. Where it refuses (cookies blocked, private windows, a full disk) the page keeps it itself until
// a reload: `localStorage` throws as soon as it is named then, not only when it is used.

const PREFIX = "horse-trust.";

export class Kept {
  /** What the browser refused to store. */
  private readonly refused = new Map<string, string>();

  constructor(private readonly area: () => Storage) {}

  /** `action` on the browser's storage; undefined where there is none. */
  private attempt<Result>(action: (area: Storage) => Result): Result | undefined {
    try {
      return action(this.area());
    } catch {
      return undefined;
    }
  }

  read(name: string): unknown {
    const text = this.refused.get(name) ?? this.attempt((area) => area.getItem(PREFIX + name));
    if (text === undefined || text === null) return undefined;
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Keeps `value` under `name`; undefined forgets it. */
  write(name: string, value: unknown): void {
    this.refused.delete(name);
    if (value === undefined) return void this.attempt((area) => area.removeItem(PREFIX + name));
    const text = JSON.stringify(value);
    const isTaken = this.attempt((area) => {
      area.setItem(PREFIX + name, text);
      return true;
    });
    if (isTaken) return;
    this.refused.set(name, text);
    // An older value would come back with the next reload.
    this.attempt((area) => area.removeItem(PREFIX + name));
  }

  /** The names that begin with `start`. */
  names(start: string): string[] {
    const taken = this.attempt((area) => Object.keys(area)) ?? [];
    const own = taken.filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return [...new Set([...own, ...this.refused.keys()])].filter((name) => name.startsWith(start));
  }

  /** Calls `listener` when another window changes what is kept under `name`. */
  onChange(listener: (name: string, value: unknown) => void): void {
    addEventListener("storage", ({ key, storageArea }) => {
      const isOurs = storageArea !== null && this.attempt((area) => area === storageArea);
      if (!isOurs || !key?.startsWith(PREFIX)) return;
      const name = key.slice(PREFIX.length);
      this.refused.delete(name);
      listener(name, this.read(name));
    });
  }
}

/** Shared by all windows. */
export const shared = new Kept(() => localStorage);

/** This window's own. */
export const own = new Kept(() => sessionStorage);
