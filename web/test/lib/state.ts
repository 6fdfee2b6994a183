// The modules of src/state as one, so that they share their signals.
export * as conversations from "../../src/state/conversations";
export * as drafts from "../../src/state/drafts";
export * as live from "../../src/state/live";
export * as outbox from "../../src/state/outbox";
export * as session from "../../src/state/session";
export * as shown from "../../src/state/shown";
export * as timelines from "../../src/state/timelines";
export { socket } from "socket.io-client";
