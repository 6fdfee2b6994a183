import { defineConfig } from "vite";

// `npm run dev` serves the page with hot reload beside a server that runs on its default port.
const server = process.env.HORSE_TRUST_URL ?? "http://127.0.0.1:3000";

// The moderation page is a build of its own, so that the chat page loads nothing of it, and is one script as before.
export default defineConfig(({ mode }) => ({
  // The page is below BASE_PATH, which only the server knows: its files are named relative to it.
  base: "./",
  build: {
    ...(mode === "admin" ? { emptyOutDir: false, rolldownOptions: { input: "admin.html" } } : {}),
    target: "es2022",
    // The Content-Security-Policy allows no data: scripts or fonts; one file each is cached for a year.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": server,
      "/demo.json": server,
      "/socket.io": { target: server, ws: true },
    },
  },
}));
