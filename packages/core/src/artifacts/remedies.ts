/** For what no program writes. */
export const saveAgain =
  'Save the checkpoint again; or check that the file was copied or downloaded completely.';

export const generateAgain = 'Make the artifacts again (gradware generate).';
