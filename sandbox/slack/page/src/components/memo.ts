import { Component, h, type ComponentType, type FunctionComponent, type RenderableProps } from "preact";

/** Draws a component again only when one of its props is another: in a long channel one edit is one message's work. */
export function memo<P extends object>(Inner: ComponentType<P>): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P) {
      const names = Object.keys({ ...this.props, ...next }) as (keyof P)[];
      return names.some((name) => this.props[name as keyof RenderableProps<P>] !== next[name]);
    }
    override render() {
      return h(Inner, this.props as P);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}
