/** What is wrong with a file of a package repository. Who reads the file knows its name, and makes a MeshError of the fault. */

/** `untrusted`: no signature of a known key; `forged`: a known key has not signed this; `damaged`: not in its form. */
export type ApkFaultKind = 'untrusted' | 'forged' | 'damaged' | 'too large';

/** The message is the rest of a sentence that begins with the name of the file. */
export class ApkFault extends Error {
  readonly kind: ApkFaultKind;

  constructor(kind: ApkFaultKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
