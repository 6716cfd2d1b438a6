import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a file of ours parsed without its form',
  changes: [
    {
      kind: 'edit',
      symbol: 'recordIn',
      in: 'services',
      find: 'const { document: record, fault } = readDocument(ProcessRecordShape, text, RECORD_MAX_BYTES);',
      replace: 'const { record, fault } = { record: JSON.parse(text), fault: undefined };',
    },
  ],
  catcher: 'architecture',
  sign: /JSON is parsed by the reader of documents alone/,
};
