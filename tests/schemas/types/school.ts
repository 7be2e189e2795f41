// Written by `syncline schema typescript`: run it again when the schema changes.
//
// The JSON of Syncline's JSON face, and of the program: `get`, `query` and `export` print records, the lines of `watch`
// hold them; `save` and `import` take inputs, `update` takes patches. A record has every field, absent ones as null. What
// the schema requires, a field or an element of a list, is null too where a schema that does not require it has written:
// an older one, or a newer one. Integers have 64 bits: `JSON.parse` rounds those beyond 2^53.

/** Any JSON: what an AWSJSON field holds. A string is JSON text itself. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A value of an enum that this schema does not list: a newer one does. */
export type Unlisted = string & {};

/** Enum `Weekday`. */
export type Weekday = "MONDAY" | "TUESDAY" | "WEDNESDAY" | "THURSDAY" | "FRIDAY";

/** Id of a Course. */
export type CourseId = string;

/** A record of `Course`, named by `id`. */
export interface Course {
  /** `id: ID!`. Never changes. */
  id: CourseId;
  /** `title: String!`. Null only if a schema that does not demand it wrote the record. */
  title: string | null;
  /** `room: String` */
  room: string | null;
  /** `weekday: Weekday` */
  weekday: Weekday | Unlisted | null;
  /** `startsAt: AWSTime`. `17:30`, `17:30:00` or `17:30:00.000`, with or without an offset. */
  startsAt: string | null;
  /** `capacity: Int`, default `30` */
  capacity: number | null;
  /** `courseTeacherId: ID` */
  courseTeacherId: TeacherId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Course where another record refers to it. */
export interface CourseKey {
  id: CourseId;
}

/** What a save of a `Course` takes; fields left out get their default, or are null. */
export interface CourseInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: CourseId;
  /** `title: String!` */
  title: string;
  /** `room: String` */
  room?: string | null;
  /** `weekday: Weekday` */
  weekday?: Weekday | null;
  /** `startsAt: AWSTime` */
  startsAt?: string | null;
  /** `capacity: Int`, default `30` */
  capacity?: number | null;
  /** `courseTeacherId: ID` */
  courseTeacherId?: TeacherId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `courseTeacherId`: the Teacher with this key. */
  teacher?: TeacherKey | null;
}

/** What an update of a `Course` takes; fields left out stay as they are. */
export interface CoursePatch {
  /** `title: String!` */
  title?: string;
  /** `room: String` */
  room?: string | null;
  /** `weekday: Weekday` */
  weekday?: Weekday | null;
  /** `startsAt: AWSTime` */
  startsAt?: string | null;
  /** `capacity: Int`, default `30` */
  capacity?: number | null;
  /** `courseTeacherId: ID` */
  courseTeacherId?: TeacherId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `courseTeacherId`: the Teacher with this key. */
  teacher?: TeacherKey | null;
}

/** What a query adds to a `Course` for each relation that it is asked to include. */
export interface CourseRelations {
  /** The Teacher of a `@hasOne`. Null also if the record that it refers to is not here. */
  teacher?: Teacher | null;
  /** The Student of a `@manyToMany`. */
  students?: Student[];
  /** The Exam of a `@hasMany`. */
  exams?: Exam[];
}

/** Id of a Teacher. */
export type TeacherId = string;

/** A record of `Teacher`, named by `id`. */
export interface Teacher {
  /** `id: ID!`. Never changes. */
  id: TeacherId;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `email: AWSEmail`. An e-mail address. */
  email: string | null;
  /** `teacherCourseId: ID` */
  teacherCourseId: CourseId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Teacher where another record refers to it. */
export interface TeacherKey {
  id: TeacherId;
}

/** What a save of a `Teacher` takes; fields left out get their default, or are null. */
export interface TeacherInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: TeacherId;
  /** `name: String!` */
  name: string;
  /** `email: AWSEmail` */
  email?: string | null;
  /** `teacherCourseId: ID` */
  teacherCourseId?: CourseId | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `teacherCourseId`: the Course with this key. */
  course?: CourseKey | null;
}

/** What an update of a `Teacher` takes; fields left out stay as they are. */
export interface TeacherPatch {
  /** `name: String!` */
  name?: string;
  /** `email: AWSEmail` */
  email?: string | null;
  /** `teacherCourseId: ID` */
  teacherCourseId?: CourseId | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `teacherCourseId`: the Course with this key. */
  course?: CourseKey | null;
}

/** What a query adds to a `Teacher` for each relation that it is asked to include. */
export interface TeacherRelations {
  /** The Course of a `@belongsTo`. Null also if the record that it refers to is not here. */
  course?: Course | null;
}

/** A record of `Student`, named by `number`. */
export interface Student {
  /** `number: Int!` */
  number: number;
  /** `name: String!`. Null only if a schema that does not demand it wrote the record. */
  name: string | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Student: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface StudentKey {
  number: number;
}

/** What a save of a `Student` takes; fields left out get their default, or are null. */
export interface StudentInput {
  /** `number: Int!` */
  number: number;
  /** `name: String!` */
  name: string;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
}

/** What an update of a `Student` takes; fields left out stay as they are. */
export interface StudentPatch {
  /** `name: String!` */
  name?: string;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Student` for each relation that it is asked to include. */
export interface StudentRelations {
  /** The Course of a `@manyToMany`. */
  courses?: Course[];
  /** The Grade of a `@hasMany`. */
  grades?: Grade[];
}

/** Id of a Exam. */
export type ExamId = string;

/** A record of `Exam`, named by `id`. */
export interface Exam {
  /** `id: ID!`. Never changes. */
  id: ExamId;
  /** `title: String!`. Null only if a schema that does not demand it wrote the record. */
  title: string | null;
  /**
   * `on: AWSDate!`. `2024-05-31`, with or without an offset. Null only if a schema that does not demand it wrote the
   * record.
   */
  on: string | null;
  /** `courseExamsId: ID!`. Null only if a schema that does not demand it wrote the record. */
  courseExamsId: CourseId | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Exam where another record refers to it. */
export interface ExamKey {
  id: ExamId;
}

/** What a save of a `Exam` takes; fields left out get their default, or are null. */
export interface ExamInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: ExamId;
  /** `title: String!` */
  title: string;
  /** `on: AWSDate!` */
  on: string;
  /** `courseExamsId: ID!` */
  courseExamsId?: CourseId;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `courseExamsId`: the Course with this key. */
  course?: CourseKey;
}

/** What an update of a `Exam` takes; fields left out stay as they are. */
export interface ExamPatch {
  /** `title: String!` */
  title?: string;
  /** `on: AWSDate!` */
  on?: string;
  /** `courseExamsId: ID!` */
  courseExamsId?: CourseId;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `courseExamsId`: the Course with this key. */
  course?: CourseKey;
}

/** What a query adds to a `Exam` for each relation that it is asked to include. */
export interface ExamRelations {
  /** The Course of a `@belongsTo`. Null also if the record that it refers to is not here. */
  course?: Course | null;
  /** The Grade of a `@hasMany`. */
  grades?: Grade[];
}

/** Id of a Grade. */
export type GradeId = string;

/** A record of `Grade`, named by `id`. */
export interface Grade {
  /** `id: ID!`. Never changes. */
  id: GradeId;
  /** `examID: ID!`. Null only if a schema that does not demand it wrote the record. */
  examID: ExamId | null;
  /** `points: Float!`. Null only if a schema that does not demand it wrote the record. */
  points: number | null;
  /** `remark: String` */
  remark: string | null;
  /** `studentGradesNumber: Int` */
  studentGradesNumber: number | null;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Grade where another record refers to it. */
export interface GradeKey {
  id: GradeId;
}

/** What a save of a `Grade` takes; fields left out get their default, or are null. */
export interface GradeInput {
  /** `id: ID!`. Generated if it is left out. */
  id?: GradeId;
  /** `examID: ID!` */
  examID?: ExamId;
  /** `points: Float!` */
  points: number;
  /** `remark: String` */
  remark?: string | null;
  /** `studentGradesNumber: Int` */
  studentGradesNumber?: number | null;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `examID`: the Exam with this key. */
  exam?: ExamKey;
  /** In place of `studentGradesNumber`: the Student with this key. */
  student?: StudentKey | null;
}

/** What an update of a `Grade` takes; fields left out stay as they are. */
export interface GradePatch {
  /** `examID: ID!` */
  examID?: ExamId;
  /** `points: Float!` */
  points?: number;
  /** `remark: String` */
  remark?: string | null;
  /** `studentGradesNumber: Int` */
  studentGradesNumber?: number | null;
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
  /** In place of `examID`: the Exam with this key. */
  exam?: ExamKey;
  /** In place of `studentGradesNumber`: the Student with this key. */
  student?: StudentKey | null;
}

/** What a query adds to a `Grade` for each relation that it is asked to include. */
export interface GradeRelations {
  /** The Exam of a `@belongsTo`. Null also if the record that it refers to is not here. */
  exam?: Exam | null;
  /** The Student of a `@belongsTo`. Null also if the record that it refers to is not here. */
  student?: Student | null;
}

/** A record of `Enrollment`, named by `courseId` and `studentNumber`. */
export interface Enrollment {
  /** `courseId: ID!` */
  courseId: CourseId;
  /** `studentNumber: Int!` */
  studentNumber: number;
  /** `createdAt: AWSDateTime`. Time of the record's first change, unless a save brought one. */
  createdAt: string;
  /** `updatedAt: AWSDateTime`. Time of the record's newest change. */
  updatedAt: string;
}

/** What names a Enrollment: as JSON text where an id is asked for, as an object where another record refers to it. */
export interface EnrollmentKey {
  courseId: CourseId;
  studentNumber: number;
}

/** What a save of a `Enrollment` takes; fields left out get their default, or are null. */
export interface EnrollmentInput {
  /** `courseId: ID!` */
  courseId?: CourseId;
  /** `studentNumber: Int!` */
  studentNumber?: number;
  /** `createdAt: AWSDateTime`. Kept if it is given. */
  createdAt?: string;
  /** `updatedAt: AWSDateTime`. Kept by an import, derived by a save. */
  updatedAt?: string;
  /** In place of `courseId`: the Course with this key. */
  course?: CourseKey;
  /** In place of `studentNumber`: the Student with this key. */
  student?: StudentKey;
}

/** What an update of a `Enrollment` takes; fields left out stay as they are. */
export interface EnrollmentPatch {
  /** `createdAt: AWSDateTime`. Shown from then on, instead of the time of the first change. */
  createdAt?: string | null;
}

/** What a query adds to a `Enrollment` for each relation that it is asked to include. */
export interface EnrollmentRelations {
  /** The Course of a `@belongsTo`. Null also if the record that it refers to is not here. */
  course?: Course | null;
  /** The Student of a `@belongsTo`. Null also if the record that it refers to is not here. */
  student?: Student | null;
}

/** A line of an export of the whole store. */
export type Exported =
  | (Course & { __typename: "Course" })
  | (Teacher & { __typename: "Teacher" })
  | (Student & { __typename: "Student" })
  | (Exam & { __typename: "Exam" })
  | (Grade & { __typename: "Grade" })
  | (Enrollment & { __typename: "Enrollment" });
