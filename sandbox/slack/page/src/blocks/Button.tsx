import { useElement, type ElementProps } from "./surface";
import { plain, Text } from "./Text";

/** A button with a url opens it, and still tells the app of the click, as in Slack. */
export function Button(props: ElementProps) {
  const { element } = props;
  const { busy, act } = useElement(props);
  const click = () => {
    if (element.url) window.open(element.url, "_blank", "noopener");
    void act({ value: element.value, text: element.text });
  };
  const style = typeof element.style === "string" ? element.style : "default";
  return (
    <button
      type="button"
      class={`button ${style}${busy ? " busy" : ""}`}
      aria-busy={busy}
      aria-disabled={busy}
      aria-label={element.accessibility_label}
      title={plain(element.text)}
      onClick={click}
    >
      <span class="button-text">
        <Text text={element.text} />
      </span>
    </button>
  );
}
