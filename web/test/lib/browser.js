// What the state needs of a browser: storage in memory, and a network that is there.

/** As a browser's `Storage`, with room for so many characters an entry. */
export class Area {
  constructor(room = Infinity) {
    Object.defineProperty(this, "room", { value: room, writable: true });
  }
  getItem(key) {
    return Object.hasOwn(this, key) ? this[key] : null;
  }
  setItem(key, text) {
    if (text.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this[key] = text;
  }
  removeItem(key) {
    delete this[key];
  }
}

const browser = { localStorage: new Area(), sessionStorage: new Area(), navigator: { onLine: true }, location: new URL("http://chat.example/"), addEventListener: () => {} };
for (const [name, value] of Object.entries(browser)) Object.defineProperty(globalThis, name, { value, configurable: true });
