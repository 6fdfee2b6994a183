import { defineConfig } from "vite";

// `npm run dev` serves the page with hot reload beside a server that runs on its default port.
const server = process.env.HORSE_TRUST_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  build: {
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
});
