import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a type claimed for a document that was read',
  changes: [
    {
      kind: 'edit',
      symbol: 'readAssignment',
      find: "return read(AssignmentShape, data, 'an assignment');",
      replace: 'return readDocument(AssignmentShape, data).document as Assignment;',
    },
  ],
  catcher: 'architecture',
  sign: /nothing claims a type for a document/,
};
