/** The parts that the forms of documents are put together from: the model has them, for the forms of its own parts. */
export * from '../../model/form.ts';
