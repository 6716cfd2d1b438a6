import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a file of ours parsed without its form',
  changes: [
    {
      kind: 'edit',
      symbol: 'readServiceRecord',
      find: "readDocument(ServiceRecordShape, readFileSync(file, 'utf8'), RECORD_MAX_LENGTH).document",
      replace: "JSON.parse(readFileSync(file, 'utf8'))",
    },
  ],
  catcher: 'architecture',
  sign: /JSON is parsed by the reader of documents alone/,
};
