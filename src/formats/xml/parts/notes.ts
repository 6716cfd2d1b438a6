/** What the readers of a document's parts tell each other beside the parts. */
import type { MeshError } from '../../../model/error.ts';
import type { XmlElement } from '../text/xml-tree.ts';

/** Kept while one document is read. */
export interface Notes {
  /** The name of the network, for messages. */
  readonly name: string;
  /** Remembers how a part was written, so that it is printed so again. */
  readonly wrote: (part: string, how: string) => void;
  /** Remembers where a part of the model was written, by its path. */
  readonly placed: (path: string, element: XmlElement) => void;
  /** What libvirt accepts, and what a person should look at. */
  readonly warn: (warning: MeshError) => void;
}

/** What the reader of a whole document is given. */
export interface Taken {
  /** Where the parts of the model were written, by their paths. */
  readonly places: Map<string, number>;
  readonly warn: Notes['warn'];
}
