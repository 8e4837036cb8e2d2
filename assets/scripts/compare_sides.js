// The choosers of Compare: each side has a checkpoint of its own.
export const SIDES = ["a", "b", "c", "d"];

// The other side that has the same checkpoint as `side`; "" if there is none.
export const twinSide = (values, side) =>
  (values[side] && SIDES.find((other) => other !== side && values[other] === values[side])) || "";

// Why a choice cannot be compared, in a sentence; "" if it can.
export const choiceProblem = (values) => {
  if (!values.a || !values.b) return "Choose a checkpoint for A and one for B.";
  const repeated = SIDES.findLast((side) => twinSide(values, side));
  if (!repeated) return "";
  return `${repeated.toUpperCase()} is the same checkpoint as ${twinSide(values, repeated).toUpperCase()}. Choose a different one for ${repeated.toUpperCase()}.`;
};
