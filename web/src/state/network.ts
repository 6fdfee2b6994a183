// Whether the device has a network, as far as the browser knows.

export const isOnline = () => navigator.onLine;

/** Calls `listener` when the network comes back. */
export function onOnline(listener: () => void): void {
  addEventListener("online", listener);
}

/** Calls `listener` when the network goes. */
export function onOffline(listener: () => void): void {
  addEventListener("offline", listener);
}
