// Line icons on a grid of 24.
const PATHS = {
  plus: "M12 5v14M5 12h14",
  search: "M10.5 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM20 20l-4.800-4.800",
  back: "M14.500 5.500 8 12l6.500 6.500",
  more: "M5.500 12h.01M12 12h.01M18.500 12h.01",
  send: "M5 12 4 4.500 20.500 12 4 19.500 5 12zm0 0h7",
  down: "M12 5v13M6.500 12.500 12 18l5.500-5.500",
  check: "m5 12.500 4.500 4.500L19 7.500",
  close: "M6.500 6.500l11 11M17.500 6.500l-11 11",
  clock: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 7.500V12l3 2",
  alert: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 8v4.500M12 16h.01",
  reply: "M10 6.500 4.500 12l5.500 5.500M5 12h9c3.500 0 5.500 2 5.500 5.500",
  copy: "M9 9h10v10H9zM15 5H5v10",
  pencil: "m5 19 .9-4L16 4.900 19.100 8 9 18.100 5 19z",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7M10.500 11v5M13.500 11v5",
  flag: "M6 20V4.500h11.500L15 9l2.500 4.500H6",
  block: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM6.500 6.500l11 11",
  bell: "M6.500 16.500c1-1.200 1.200-2.500 1.200-6a4.300 4.300 0 0 1 8.600 0c0 3.500.200 4.800 1.200 6zM10.500 19.500h3",
  bellOff: "M6.500 16.500c1-1.200 1.200-2.500 1.200-6a4.300 4.300 0 0 1 8.600 0c0 3.500.200 4.800 1.200 6zM10.500 19.500h3M4.500 4.500l15 15",
  pin: "M9 4.500h6M10 4.500v5.500l-3 3.500h10l-3-3.500V4.500M12 13.500v6",
  exit: "M14 5H6v14h8M10.500 12H20M16.500 8.500 20 12l-3.500 3.500",
  retry: "M19 8.500A7.500 7.500 0 1 0 19.500 12M19.500 4.500v4.200h-4.200",
  cloudOff: "M8 18h9a3.500 3.500 0 0 0 1.900-6.400M15.700 8.200A5.200 5.200 0 0 0 7.300 10 4 4 0 0 0 7.500 18M4.500 4.500l15 15",
  eye: "M3.500 12S6.500 6.500 12 6.500 20.500 12 20.500 12 17.500 17.500 12 17.500 3.500 12 3.500 12zM12 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
  chat: "M5 5.500h14v10h-7.500L7.500 19v-3.500H5z",
  external: "M13 5h6v6M19 5l-8 8M10 6H5v13h13v-5",
};

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a horseshoe. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" />
      <path d="M9.500 7.500C7.600 13 7.600 17.400 10 20.600c1.600 2.100 3.700 3.100 6 3.100s4.400-1 6-3.100c2.400-3.200 2.400-7.600.5-13.100" />
    </svg>
  );
}

/** One tick: sent; two: delivered; two in colour: read. */
export function Ticks({ count, isRead }: { count: 1 | 2; isRead: boolean }) {
  return (
    <svg class={isRead ? "ticks ticks-read" : "ticks"} viewBox="0 0 22 16" aria-hidden="true" focusable="false">
      <path d={count === 1 ? "m6 8.500 3.500 3.500L17 4.500" : "m1.500 8.500 3.500 3.500 7.500-7.500M10 11.500l.5.5L18.500 4.500"} />
    </svg>
  );
}
