// What the browser keeps. A browser that refuses (private windows, a full disk) costs the memory over a
// reload, never the page.

const PREFIX = "horse-trust.";

function read(area: Storage, name: string): unknown {
  try {
    const text = area.getItem(PREFIX + name);
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function write(area: Storage, name: string, value: unknown): void {
  try {
    if (value === undefined) area.removeItem(PREFIX + name);
    else area.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // See above.
  }
}

/** Shared by all windows. */
export const shared = {
  read: (name: string) => read(localStorage, name),
  write: (name: string, value: unknown) => write(localStorage, name, value),
  /** The names that begin with `start`. */
  names(start: string): string[] {
    try {
      return Object.keys(localStorage)
        .filter((key) => key.startsWith(PREFIX + start))
        .map((key) => key.slice(PREFIX.length));
    } catch {
      return [];
    }
  },
  /** Calls `listener` when another window changes what is stored under `name`. */
  onChange(listener: (name: string, value: unknown) => void): void {
    addEventListener("storage", (event) => {
      if (event.storageArea !== localStorage || !event.key?.startsWith(PREFIX)) return;
      listener(event.key.slice(PREFIX.length), read(localStorage, event.key.slice(PREFIX.length)));
    });
  },
};

/** This window's own. */
export const own = {
  read: (name: string) => read(sessionStorage, name),
  write: (name: string, value: unknown) => write(sessionStorage, name, value),
};
