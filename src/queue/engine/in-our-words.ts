/**
 * The same port with its errors explained: whatever rejects, rejects with what `explain` makes of it.
 */

export function inOurWords<Port extends object>(port: Port, explain: (error: unknown) => unknown): Port {
  return new Proxy(port, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: readonly unknown[]): unknown => {
        const result: unknown = Reflect.apply(member, target, args);
        if (!(result instanceof Promise)) return result;
        return result.catch((error: unknown) => {
          throw explain(error);
        });
      };
    },
  });
}
