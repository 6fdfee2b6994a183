// Where the server is: the page is at its root or beside it (`/chat/`, `/chat/admin`), below whatever BASE_PATH.

/** The path before each route, without a slash at the end; empty at the root of a host. */
export const base = new URL(".", location.href).pathname.slice(0, -1);
