import type { Bug } from '../bug.ts';

export const bug: Bug = {
  title: 'a type claimed for a document that was read',
  changes: [
    {
      kind: 'edit',
      symbol: 'readAssignment',
      find: "return read(HostAssignmentShape, data, 'an assignment');",
      replace: 'return readDocument(HostAssignmentShape, data).document as Assignment;',
    },
  ],
  catcher: 'architecture',
  sign: /nothing claims a type for a document/,
};
