// New messages, for screen readers.
import { announcements } from "../page/attention";

/** Read aloud by screen readers. Each announcement is a node of its own, so that the same text is read again. */
export function LiveRegion() {
  return (
    <div class="visually-hidden" role="log" aria-live="polite" aria-relevant="additions">
      {announcements.value.map(({ number, name, words }) => (
        <p key={number}>
          <bdi>{name}</bdi>: <bdi>{words}</bdi>
        </p>
      ))}
    </div>
  );
}
