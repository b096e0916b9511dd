"""Styles of the full screens: colours, sizes, positions."""

ALL = """
Screen { background: #12171c; color: #d9e0e8; }
#head { background: #1d2731; }
#queue { background: #161c22; }
#about { margin-top: 1; }
#matter { scrollbar-size: 1 1; scrollbar-background: #12171c; scrollbar-color: #33404d; }
#said { height: 1; }
#keys { background: #1d2731; }
.-narrow #body { layout: vertical; }
.-narrow #queue { height: 3; }
.-wide #body { layout: horizontal; }
.-wide #queue { width: 36; height: 1fr; }
.-wide #matter { padding: 0 1; }
ModalScreen { align: center middle; background: #0a0d10 60%; }
.box { width: 90%; max-width: 76; height: auto; max-height: 90%; background: #1b222b; border: round #4a5a6b; padding: 0 1; }
.box Input { border: none; background: #10151a; height: 1; padding: 0 1; margin: 1 0 0 0; }
.box Input:focus { border: none; background: #10151a; }
.box .title { text-style: bold; }
.box .keys { margin-top: 1; color: #8b98a8; }
#whole { margin-top: 1; color: #8b98a8; }
.box VerticalScroll { height: auto; max-height: 16; }
#form { height: 1fr; scrollbar-size: 1 1; scrollbar-background: #12171c; scrollbar-color: #33404d; }
#members { height: auto; }
.asked, .asked:focus { border: none; height: 1; padding: 0 1; margin: 1 1 0 1; background: #243140; }
#found { height: 1fr; margin-top: 1; }
.section { margin-top: 1; }
QuestionRow, DerivedRow { height: auto; }
DerivedRow .follows { padding: 0 1; }
QuestionRow .label, DerivedRow .label { width: 30; padding: 0 0 0 2; }
QuestionRow .members { width: auto; max-width: 30; min-width: 12; margin: 0 1 0 0; color: #93d39a; }
QuestionRow Input, QuestionRow Input:focus { border: none; height: 1; padding: 0 1; width: 1fr; background: #1a2129; }
QuestionRow Input:focus { background: #243140; }
QuestionRow TextArea, QuestionRow TextArea:focus { border: none; height: 3; padding: 0 1; width: 1fr; background: #1a2129; }
QuestionRow TextArea:focus { background: #243140; }
.doing:focus { background: #243140; text-style: bold; }
#foot { height: 6; background: #161c22; }
"""
