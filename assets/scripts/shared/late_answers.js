// Several questions may be on their way at once; an answer counts only while no newer question was asked.
export const lateAnswers = () => {
  let asked = 0;
  const since = (mine) => () => mine !== asked;
  return {
    ask: () => since(++asked), // a new question; returns what tells whether its answer comes too late
    beside: () => since(asked), // a question beside the newest one, too late as soon as that one is
  };
};
