import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a file of ours parsed without its form',
  changes: [
    {
      kind: 'edit',
      symbol: 'readPlugged',
      find: 'const { document, fault } = readDocument(Ports, text);',
      replace: 'const { document, fault } = { document: JSON.parse(text), fault: undefined };',
    },
  ],
  catcher: 'architecture',
  sign: /JSON is parsed by the reader of documents alone/,
};
