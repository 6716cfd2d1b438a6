/** Bytes that are not what the protocol asks for. The answer to a peer tells no more than that; the text is for the journal. */
export class XdrFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XdrFault';
  }
}
