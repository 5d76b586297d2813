/**
 * An `onEvent` that keeps what it is told. Generic over the event, so that it serves the events of
 * a delivery, a transport and a queue alike.
 */

/** An observer that can be handed in as `onEvent`, and asked afterwards. */
export interface EventRecorder<E extends { readonly type: string }> {
  (event: E): void;
  /** Everything told so far, oldest first. */
  readonly events: readonly E[];
  /** The events of one type, oldest first. */
  ofType<T extends E['type']>(type: T): readonly Extract<E, { readonly type: T }>[];
}

export function recordEvents<E extends { readonly type: string }>(): EventRecorder<E> {
  const events: E[] = [];
  const record = (event: E): void => void events.push(event);
  const ofType = <T extends E['type']>(type: T): readonly Extract<E, { readonly type: T }>[] =>
    events.filter((event): event is Extract<E, { readonly type: T }> => event.type === type);
  return Object.assign(record, { events, ofType });
}
