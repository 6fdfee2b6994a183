/** A labelled field of several lines, which a dialog opens on. */
export function TextArea(props: { id: string; label: string; value: string; onInput: (value: string) => void }) {
  const { id, label, value, onInput } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        class="input"
        autoFocus
        rows={3}
        maxLength={1000}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </div>
  );
}
