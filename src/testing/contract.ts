/**
 * The form of a contract suite: what every implementation of a port must do, as cases that any test
 * runner can run. No runner is imported, so each is asked by name:
 *
 *     for (const { name, run } of dnsLookupContract) test(name, () => run(setUp));
 *
 * A case calls `setUp` for an implementation of its own, throws an AssertionError that says what it
 * saw and what it wanted, and cleans up what it was given.
 */

/** `Setting` is what the port's suite needs: the implementation, and the hand on what is behind it. */
export interface ContractCase<Setting> {
  readonly name: string;
  readonly run: (setUp: () => Setting | Promise<Setting>) => Promise<void>;
}
