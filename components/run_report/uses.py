"""What a model of this pipeline is for, and what it is not: on every page and card."""

PURPOSE = (
    "Naming which of its classes the expression of a face is, as people would who see the same cropped, "
    "gray picture of 48x48 pixels."
)

LIMITS = (
    "It is not for deciding anything about a person: hiring, teaching, policing, insurance, health, credit. "
    "In workplaces and schools the European Union forbids inferring emotions (Regulation (EU) 2024/1689, "
    "article 5).",
    "It does not say what somebody feels: it names how a face looks in one picture.",
    "It is not for comparing groups of people: nothing here says who is in the pictures, and how the errors "
    "differ between ages, sexes or origins was not measured.",
    "Its figures hold for pictures like those that judged it; other cameras, light, crops or classes are "
    "another task.",
)
