/** The requests to a simulated kernel, and its answers. */
import type { Operation } from '../../src/agent/items/item-kind.ts';

/** The name of an errno, like `ENOENT`; undefined means success. */
export type Errno = string | undefined;
/** The operations of one or more verbs. */
export type Of<Verb extends Operation['do']> = Extract<Operation, { do: Verb }>;
