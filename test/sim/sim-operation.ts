/** What is asked of a simulated kernel, and what it answers. */
import type { Operation } from '../../src/agent/items/item-kind.ts';

/** An errno's name; undefined is success. */
export type Errno = string | undefined;
export type Of<Verb extends Operation['do']> = Extract<Operation, { do: Verb }>;
